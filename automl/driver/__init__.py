"""One search: begun or resumed, its loop, its end, its mirror."""
