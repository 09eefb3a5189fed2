"""The frame around every stage: params, output and errors, and what interruptions leave."""
