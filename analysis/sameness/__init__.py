"""Are two hosts the same: requests, quality, and three levels of sameness."""
