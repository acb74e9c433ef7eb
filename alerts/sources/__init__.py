"""Where articles come from: feeds fetched within limits, files read without trust; both give items, neither stores any."""
