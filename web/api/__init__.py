"""What programs get: the routes of the JSON API, what they take and give, and how that is told."""
