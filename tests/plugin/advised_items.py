"""What the endpoints of `advised_computing_app.py` answer."""

import json

ITEMS = [{"id": number, "name": f"item {number}", "tags": ["a", "b"], "price": number / 3} for number in range(50_000)]
TEXT = json.dumps(ITEMS[:40_000])
