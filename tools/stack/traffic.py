#!/usr/bin/env python3
"""Sends requests to the service of the stack until it is ended, and keeps the logs small.

usage: traffic.py URL PATTERN_FILE USERS LOG_FOLDER

The file has one word, which is read again after each round of requests:

  mixed    few users are asked for often, many rarely; some batches, some writes
  hot      nine of ten reads ask for user 7
  misses   users that no level has
  scan     one id after another, of users that exist and that do not, in batches
  writes   only writes
  none     nothing
"""

import http.client
import os
import pathlib
import random
import sys
import time
import urllib.parse

ROUND_S = 0.1
READS = 20  # of a round
LOG_BYTES = 64 * 1024 * 1024  # a log that is longer is emptied: what is written is appended


class Traffic:
    def __init__(self, url, users):
        self.address = urllib.parse.urlsplit(url).netloc
        self.users = users
        self.numbers = random.Random(1)
        self.next = 0
        self.connection = None

    def send(self, method, path, body=None):
        """What goes wrong shows in the service's own figures."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, timeout=10)
            self.connection.request(method, path, body)
            self.connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            self.connection = None

    def popular(self):
        """The users' popularity follows Zipf's law, nearly."""
        return int(self.users ** self.numbers.random())

    def in_turn(self, count):
        first = self.next
        self.next = (self.next + count) % self.users
        return [(first + i) % self.users + 1 for i in range(count)]

    def get(self, ids, path="users"):
        self.send("GET", f"/{path}?ids={','.join(map(str, ids))}")

    def write(self):
        self.send("PUT", f"/users/{self.popular()}", f"user-{self.numbers.randrange(10**6)}")

    def mixed(self):
        for _ in range(READS):
            self.send("GET", f"/{self.numbers.choice(('users', 'names'))}/{self.popular()}")
        self.get(sorted({self.popular() for _ in range(16)}))
        if self.numbers.random() < 0.5:
            self.write()

    def hot(self):
        for _ in range(3 * READS):
            user = 7 if self.numbers.random() < 0.9 else self.popular()
            self.send("GET", f"/users/{user}")

    def misses(self):
        """One turn takes nearly as long as an entry lives in L2."""
        for user in self.in_turn(4):
            self.send("GET", f"/users/{user}")
        for _ in range(READS // 2):
            self.send("GET", f"/users/{self.popular()}")

    def scan(self):
        """As a crawler does: what nobody reads twice, existing or not."""
        for path in ("users", "names"):
            first = self.next + 1
            self.next += 100
            self.get(range(first, self.next + 1), path)

    def writes(self):
        for _ in range(READS // 4):
            self.write()

    def none(self):
        pass


def shorten(folder):
    for log in folder.glob("*.log"):
        if log.stat().st_size > LOG_BYTES:
            os.truncate(log, 0)


def main():
    url, file, users, logs = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    file, logs = pathlib.Path(file), pathlib.Path(logs)
    traffic = Traffic(url, users)
    while True:
        began = time.monotonic()
        getattr(traffic, file.read_text(encoding="utf-8").strip() or "none", traffic.none)()
        shorten(logs)
        time.sleep(max(0.0, ROUND_S - (time.monotonic() - began)))


main()
