"""The page of ``sentient dev``: plain HTML, CSS and JavaScript, sent as they are."""
