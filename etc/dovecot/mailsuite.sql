# How Dovecot (2.3) asks the accounts of a site in /srv/mail: see etc/dovecot/dovecot.conf, and docs/dovecot.rst.
# (For accounts of schema version 2; mailsuite db status says which one there is.)
driver = sqlite
connect = /srv/mail/accounts.sqlite

# The scheme stands before what crypt(3) and argon2 know by a dollar; the others have theirs in braces as they are.
password_query = \
  SELECT l.name AS user, \
    CASE WHEN substr(c.stored, 1, 9) = '$argon2id' THEN '{ARGON2ID}' \
         WHEN substr(c.stored, 1, 8) = '$argon2i' THEN '{ARGON2I}' \
         WHEN substr(c.stored, 1, 2) = '$2' THEN '{BLF-CRYPT}' \
         WHEN substr(c.stored, 1, 1) = '$' THEN '{CRYPT}' \
         ELSE '' END || c.stored AS password, \
    '/srv/mail/mail/' || m.path AS userdb_home, \
    '*:bytes=' || coalesce(m.quota_octets, d.mailbox_octets, 0) || \
    ':messages=' || coalesce(m.quota_messages, d.mailbox_messages, 0) AS userdb_quota_rule \
  FROM logins l JOIN credentials c ON c.login_id = l.id JOIN mailboxes m ON m.id = l.mailbox_id \
  LEFT JOIN domains d ON d.name = substr(l.name, instr(l.name, '@') + 1) \
  WHERE l.name = '%u' AND l.suspended = 0 AND l.frozen = 0 AND l.must_change = 0 \
    AND c.kind = 'password' AND c.label = '' AND c.scope = ''

user_query = \
  SELECT '/srv/mail/mail/' || m.path AS home, \
    '*:bytes=' || coalesce(m.quota_octets, d.mailbox_octets, 0) || \
    ':messages=' || coalesce(m.quota_messages, d.mailbox_messages, 0) AS quota_rule \
  FROM logins l JOIN mailboxes m ON m.id = l.mailbox_id \
  LEFT JOIN domains d ON d.name = substr(l.name, instr(l.name, '@') + 1) \
  WHERE l.name = '%u'

iterate_query = SELECT name AS user FROM logins WHERE mailbox_id IS NOT NULL
