"""What people see: the pages, and all that lays them out."""
