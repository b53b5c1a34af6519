from django.test import SimpleTestCase


class Pages(SimpleTestCase):
    def test_home(self):
        self.assertContains(self.client.get("/"), "django")
