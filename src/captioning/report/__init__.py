"""Reports about captions and about data, each as one HTML file that needs no network."""
