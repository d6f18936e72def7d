"""The public IIIF validator (PyPI: iiif-validator), and a viewer in a browser, for test_iiif."""
