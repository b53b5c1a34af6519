import app


def test_greeting():
    assert app.greeting({"IMAGE_TAG": "1-a", "LAIN_CLUSTER": "test", "MAIL_HOST": "mail"}) == "monolith 1-a on test, mail to mail\n"
