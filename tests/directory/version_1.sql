-- An accounts file as version 1 made it, with what was in it.
BEGIN TRANSACTION;
CREATE TABLE addresses (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        domain_id INTEGER NOT NULL REFERENCES domains (id),
        local TEXT NOT NULL,
        mailbox_id INTEGER REFERENCES mailboxes (id) ON DELETE CASCADE,
        UNIQUE (domain_id, local));
INSERT INTO "addresses" VALUES(1,1,'postmaster',1);
INSERT INTO "addresses" VALUES(2,1,'alice',2);
INSERT INTO "addresses" VALUES(3,1,'bob',3);
INSERT INTO "addresses" VALUES(4,2,'all',NULL);
INSERT INTO "addresses" VALUES(5,2,'s*les',NULL);
CREATE TABLE alias_targets (
        address_id INTEGER NOT NULL REFERENCES addresses (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        local TEXT NOT NULL,
        domain TEXT NOT NULL,
        PRIMARY KEY (address_id, position),
        UNIQUE (address_id, local, domain)) WITHOUT ROWID;
INSERT INTO "alias_targets" VALUES(4,3,'Carol','elsewhere.example');
INSERT INTO "alias_targets" VALUES(2,2,'x','elsewhere.example');
INSERT INTO "alias_targets" VALUES(2,1,'alice','example.com');
INSERT INTO "alias_targets" VALUES(4,1,'alice','example.com');
INSERT INTO "alias_targets" VALUES(5,1,'alice','example.com');
INSERT INTO "alias_targets" VALUES(4,2,'bob','example.com');
CREATE TABLE credentials (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        login_id INTEGER NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        scope TEXT NOT NULL DEFAULT '',
        label TEXT NOT NULL DEFAULT '',
        stored TEXT NOT NULL,
        UNIQUE (login_id, kind, label));
INSERT INTO "credentials" VALUES(1,2,'password','','','hash of alice');
INSERT INTO "credentials" VALUES(2,2,'cram-md5','','','secret of alice');
INSERT INTO "credentials" VALUES(3,3,'password','','','hash of bob');
CREATE TABLE domains (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        class TEXT NOT NULL DEFAULT 'local',
        catch_all_local TEXT,
        catch_all_domain TEXT);
INSERT INTO "domains" VALUES(1,'example.com','local',NULL,NULL);
INSERT INTO "domains" VALUES(2,'example.net','local','alice','example.com');
CREATE TABLE logins (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        mailbox_id INTEGER REFERENCES mailboxes (id) ON DELETE SET NULL,
        suspended INTEGER NOT NULL DEFAULT 0);
INSERT INTO "logins" VALUES(1,'postmaster@example.com',1,0);
INSERT INTO "logins" VALUES(2,'alice@example.com',2,0);
INSERT INTO "logins" VALUES(3,'bob@example.com',3,1);
CREATE TABLE mailboxes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path TEXT NOT NULL UNIQUE);
INSERT INTO "mailboxes" VALUES(1,'example.com/postmaster');
INSERT INTO "mailboxes" VALUES(2,'example.com/alice');
INSERT INTO "mailboxes" VALUES(3,'example.com/bob');
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "meta" VALUES('generation',24);
INSERT INTO "meta" VALUES('site_secret',X'0707070707070707070707070707070707070707070707070707070707070707');
CREATE INDEX logins_of_mailbox ON logins (mailbox_id);
CREATE INDEX addresses_of_mailbox ON addresses (mailbox_id);
CREATE INDEX alias_targets_by_domain ON alias_targets (domain, local);
CREATE VIEW lost_targets AS SELECT address_id, position, domain FROM alias_targets t WHERE NOT EXISTS (
        SELECT 1 FROM domains d JOIN addresses a ON a.domain_id = d.id
        WHERE d.name = t.domain AND a.local IN (
            t.local, CASE WHEN instr(t.local, '+') > 1 THEN substr(t.local, 1, instr(t.local, '+') - 1) END));
CREATE VIEW lost_catch_alls AS SELECT id, name, catch_all_domain AS domain FROM domains o
        WHERE catch_all_domain IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM domains d JOIN addresses a ON a.domain_id = d.id
        WHERE d.name = o.catch_all_domain AND a.local IN (o.catch_all_local,
            CASE WHEN instr(o.catch_all_local, '+') > 1
            THEN substr(o.catch_all_local, 1, instr(o.catch_all_local, '+') - 1) END));
CREATE VIEW empty_aliases AS SELECT a.id, d.name AS domain FROM addresses a JOIN domains d ON d.id = a.domain_id
        WHERE a.mailbox_id IS NULL AND NOT EXISTS (SELECT 1 FROM alias_targets WHERE address_id = a.id);
CREATE TRIGGER domains_insert AFTER INSERT ON domains BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER domains_update AFTER UPDATE ON domains BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER domains_delete AFTER DELETE ON domains BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER mailboxes_insert AFTER INSERT ON mailboxes BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER mailboxes_update AFTER UPDATE ON mailboxes BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER mailboxes_delete AFTER DELETE ON mailboxes BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER logins_insert AFTER INSERT ON logins BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER logins_update AFTER UPDATE ON logins BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER logins_delete AFTER DELETE ON logins BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER credentials_insert AFTER INSERT ON credentials BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER credentials_update AFTER UPDATE ON credentials BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER credentials_delete AFTER DELETE ON credentials BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER addresses_insert AFTER INSERT ON addresses BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER addresses_update AFTER UPDATE ON addresses BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER addresses_delete AFTER DELETE ON addresses BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER alias_targets_insert AFTER INSERT ON alias_targets BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER alias_targets_update AFTER UPDATE ON alias_targets BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
CREATE TRIGGER alias_targets_delete AFTER DELETE ON alias_targets BEGIN UPDATE meta SET value = value + 1 WHERE name = 'generation'; END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('mailboxes',3);
INSERT INTO "sqlite_sequence" VALUES('logins',3);
INSERT INTO "sqlite_sequence" VALUES('addresses',6);
INSERT INTO "sqlite_sequence" VALUES('credentials',3);
COMMIT;
PRAGMA application_id = 1836283233;
PRAGMA user_version = 1;
