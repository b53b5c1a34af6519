import os

from django.contrib import admin
from django.http import HttpResponse
from django.urls import path

urlpatterns = [
    path("", lambda request: HttpResponse(f"django {os.environ.get('IMAGE_TAG')}\n", content_type="text/plain")),
    path("healthz", lambda request: HttpResponse("ok\n", content_type="text/plain")),
    path("admin/", admin.site.urls),
]
