"""What happens in runs: from a worker to the hub, into files, and into one feed over all of them."""
