"""Where a network gets more precision than its bits say: within a share of the work, if it pays."""
