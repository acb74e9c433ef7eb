"""Where articles come from: feeds fetched within limits, files read without trust; both give items, none stores any."""
