"""From a file, an app's folder or a SAM template to functions on a platform, by way of its API."""
