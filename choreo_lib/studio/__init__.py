"""What a choreographer uses: a partner for a recording, and a partner who dances along, live.

Taught in chapter 10, "The studio".
"""
