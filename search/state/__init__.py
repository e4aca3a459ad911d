"""What a running shop keeps beside its releases, in instance/state: keys, events. Read by web/ and by indexer/."""
