-- A queue as version 1 made it, with what waited in it.
PRAGMA auto_vacuum = INCREMENTAL;
BEGIN;
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE owners (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    node TEXT NOT NULL,
    boot TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started INTEGER NOT NULL,
    until REAL NOT NULL);
CREATE TABLE destinations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    due REAL,
    served REAL NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    troubled INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    last TEXT);
CREATE TABLE messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    shard INTEGER NOT NULL DEFAULT 0,
    sender_local TEXT,
    sender_domain TEXT,
    arrived REAL NOT NULL,
    expires REAL NOT NULL,
    size INTEGER NOT NULL,
    body TEXT NOT NULL,
    ret TEXT NOT NULL,
    envid TEXT NOT NULL,
    origin TEXT NOT NULL,
    arrived_from TEXT NOT NULL,
    file TEXT,
    skip INTEGER NOT NULL);
CREATE TABLE contents (message INTEGER PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE recipients (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL,
    destination INTEGER NOT NULL,
    local TEXT NOT NULL,
    domain TEXT NOT NULL,
    mailbox_id INTEGER,
    mailbox_path TEXT,
    notify TEXT NOT NULL,
    original TEXT NOT NULL,
    added BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'held', 'bounce', 'damaged')),
    tries INTEGER NOT NULL DEFAULT 0,
    next_try REAL NOT NULL,
    report_at REAL NOT NULL,
    warned INTEGER NOT NULL DEFAULT 0,
    last TEXT,
    owner INTEGER,
    purpose TEXT);
CREATE INDEX messages_by_id ON messages (id);
CREATE UNIQUE INDEX messages_by_file ON messages (file) WHERE file IS NOT NULL;
CREATE INDEX destinations_due ON destinations (due) WHERE held = 0 AND due IS NOT NULL;
CREATE INDEX recipients_of_message ON recipients (message, destination);
CREATE INDEX recipients_of_destination ON recipients (destination, state, owner, next_try);
CREATE INDEX recipients_of_owner ON recipients (owner) WHERE owner IS NOT NULL;
CREATE INDEX recipients_on_probe ON recipients (destination) WHERE purpose = 'probe';
CREATE INDEX recipients_to_report ON recipients (report_at) WHERE state IN ('waiting', 'bounce');
INSERT INTO destinations (number, name, due, served) VALUES (1, 'b.example', 1000000.0, 0), (2, 'local', NULL, 0);
INSERT INTO messages VALUES (7, 'm7', 0, 'carol', 'a.example', 999000.0, 1431000.0, 9, '8BITMIME', 'HDRS', 'e7',
    'somebody', 'a.example ([192.0.2.1])', NULL, 0);
INSERT INTO messages VALUES (8, 'm8', 0, NULL, NULL, 999000.0, 1431000.0, 9, '', '', '', 'this system', '', NULL, 0);
INSERT INTO contents VALUES (7, x'0d0a736576656e0d0a'), (8, x'0d0a65696768740d0a');
INSERT INTO recipients (number, message, destination, local, domain, mailbox_id, mailbox_path, notify, original, added,
    state, tries, next_try, report_at) VALUES
    (11, 7, 1, 'bob', 'b.example', NULL, NULL, 'FAILURE', 'rfc822;b@c', x'', 'waiting', 3, 999500.0, 1431000.0),
    (12, 7, 1, 'eve', 'b.example', NULL, NULL, '', '', x'', 'held', 0, 999500.0, 1431000.0),
    (13, 8, 2, 'dan', 'd.example', 5, 'd.example/dan', '', '', x'', 'damaged', 0, 999500.0, 1431000.0);
UPDATE sqlite_sequence SET seq = 99 WHERE name = 'recipients';
PRAGMA application_id = 1836283249;
PRAGMA user_version = 1;
COMMIT;
