"""What crosses a border between rooms or processes: plain, frozen, picklable."""
