-- The table of examples/14_stack.c, with 10 000 users; nothing where it has rows.
CREATE TABLE IF NOT EXISTS accelerator_users (id BIGINT PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO accelerator_users
SELECT i, 'user-' || i FROM generate_series(1, 10000) AS i
WHERE NOT EXISTS (SELECT FROM accelerator_users);
