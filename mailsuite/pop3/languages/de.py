"""German (RFC 6856 §3)."""

from mailsuite.pop3.language import Language

PART = Language(
    "de",
    "Deutsch",
    {
        "Done": "Erledigt",
        "{} POP3 server ready, session {}": "{} POP3-Server bereit, Sitzung {}",
        "Logged in": "Angemeldet",
        "Now the password": "Nun das Passwort",
        "Message follows": "Die Nachricht folgt",
        "{} messages ({} octets)": "{} Nachrichten ({} Oktette)",
        "{} octets": "{} Oktette",
        "Marked to be deleted": "Zum Löschen vorgemerkt",
        "Capabilities follow": "Die Fähigkeiten folgen",
        "Unique ids follow": "Die eindeutigen Kennungen folgen",
        "Languages follow": "Die Sprachen folgen",
        "{} Language changed": "{} Sprache gewechselt",
        "UTF-8 mode": "UTF-8-Modus",
        "Begin TLS negotiation": "TLS-Aushandlung kann beginnen",
        "Goodbye": "Auf Wiedersehen",
        "Unknown command": "Unbekannter Befehl",
        "Not in this state": "In diesem Zustand nicht möglich",
        "Line too long": "Die Zeile ist zu lang",
        "A bare CR or LF ends no line": "Ein einzelnes CR oder LF beendet keine Zeile",
        "A command holds no NUL": "Ein Befehl enthält kein NUL",
        "Wrong arguments for this command": "Falsche Argumente für diesen Befehl",
        "Not a number": "Keine Zahl",
        "No such message": "Diese Nachricht gibt es nicht",
        "That message is marked to be deleted": "Diese Nachricht ist zum Löschen vorgemerkt",
        "USER comes first": "Zuerst kommt USER",
        "Not UTF-8": "Kein UTF-8",
        "No password is taken before TLS": "Vor TLS wird kein Passwort angenommen",
        "No password is taken here, but what AUTH has to offer":
            "Passwörter werden hier nur angenommen, wie AUTH es anbietet",
        "TLS is active": "TLS ist schon aktiv",
        "TLS is not available": "TLS steht nicht zur Verfügung",
        "TLS comes before UTF8": "TLS kommt vor UTF8",
        "No such language": "Diese Sprache gibt es hier nicht",
        "No such mechanism": "Dieses Verfahren gibt es hier nicht",
        "Authentication cancelled": "Anmeldung abgebrochen",
        "Not base64": "Kein base64",
        "This mechanism takes no initial response": "Dieses Verfahren nimmt keine Antwort im Voraus",
        "Not what the mechanism asks for": "Nicht das, was das Verfahren verlangt",
        "Wrong name or password": "Name oder Passwort falsch",
        "Your password has to be changed before you can log in; ask your administrator":
            "Ihr Passwort muss geändert werden, bevor Sie sich anmelden können; fragen Sie Ihren Administrator",
        "Another session has this mailbox": "Eine andere Sitzung benutzt dieses Postfach",
        "The last login was a moment ago; try again later":
            "Die letzte Anmeldung ist erst kurz her; später noch einmal versuchen",
        "Temporary trouble here; try again later": "Vorübergehende Störung; später noch einmal versuchen",
        "That message cannot be read now": "Diese Nachricht kann jetzt nicht gelesen werden",
        "Some deleted messages were not removed": "Einige gelöschte Nachrichten wurden nicht entfernt",
        "There is no such folder": "Diesen Ordner gibt es nicht",
        "This login has no mailbox": "Zu dieser Anmeldung gehört kein Postfach",
        "Too many connections; try again later": "Zu viele Verbindungen; später noch einmal versuchen",
        "Too many new connections from your address; try again later":
            "Zu viele neue Verbindungen von Ihrer Adresse; später noch einmal versuchen",
        "Your address is banned for now; try again later":
            "Ihre Adresse ist zurzeit gesperrt; später noch einmal versuchen",
        "Too many wrong passwords; try again later": "Zu viele falsche Passwörter; später noch einmal versuchen",
        "Banned from logging in; ask your administrator":
            "Von der Anmeldung ausgeschlossen; fragen Sie Ihren Administrator",
        "Too many errors": "Zu viele Fehler",
        "Mail is fetched here, and nothing else": "Hier wird Post abgeholt und sonst nichts",
        "This session has lasted too long; nothing was deleted":
            "Diese Sitzung dauerte zu lange; nichts wurde gelöscht",
        "Idle for too long; nothing was deleted": "Zu lange untätig; nichts wurde gelöscht",
        "The server stops; nothing was deleted": "Der Server hält an; nichts wurde gelöscht",
    },
)
