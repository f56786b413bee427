"""JWTs, API tokens, Supabase sessions, and logging in with e-mail and password."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from crmsync import jwt_tokens
from crmsync.models import ApiToken
from tests.platform.conftest import PASSWORD

SUPABASE = "a-supabase-secret-of-sufficient-length-0123456789"
pytestmark = pytest.mark.django_db


def login(client: APIClient, email: str, password: str = PASSWORD) -> Any:
    return client.post("/api/v1/auth/login", {"email": email, "password": password})


def me(**headers: str) -> Any:
    return APIClient().get("/api/v1/auth/me", headers=headers)


def bearer(token: str) -> Any:
    return me(authorization=f"Bearer {token}")


def supabase_token(**claims: Any) -> str:
    defaults = {
        "sub": "6f1c",
        "aud": "authenticated",
        "email": "ann@example.com",
        "exp": datetime.now(UTC) + timedelta(minutes=5),
    }
    return jwt.encode({**defaults, **claims}, SUPABASE, algorithm="HS256")


@pytest.mark.parametrize("name", ["ann@example.com", "ANN@Example.com", "ann"])
def test_login_gives_a_pair_that_works(make_user: Any, name: str) -> None:
    make_user("ann", "viewer")
    pair = login(APIClient(), name)
    assert pair.status_code == 200
    assert set(pair.json()) == {"access", "refresh", "token_type", "expires_in"}
    assert bearer(pair.json()["access"]).json() | {"id": 0} == {
        "id": 0,
        "username": "ann",
        "email": "ann@example.com",
        "role": "viewer",
    }


@pytest.mark.parametrize(("email", "password"), [("ann@example.com", "wrong"), ("nobody@example.com", PASSWORD)])
def test_a_wrong_login_is_refused_in_the_same_words(make_user: Any, email: str, password: str) -> None:
    make_user("ann", "viewer")
    answer = login(APIClient(), email, password)
    assert answer.status_code == 401
    assert answer.json() == {"error": "E-mail or password is wrong.", "code": "authentication_failed"}


def test_an_email_that_two_users_share_names_neither(make_user: Any, django_user_model: Any) -> None:
    make_user("ann")
    django_user_model.objects.create_user("other", "ann@example.com", PASSWORD)
    assert login(APIClient(), "ann@example.com").status_code == 401


def test_login_is_braked_and_says_for_how_long(make_user: Any) -> None:
    make_user("ann", "viewer")
    client = APIClient()
    answers = [login(client, "ann@example.com", "wrong") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert answers[-1].json()["code"] == "throttled"
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert login(client, "bob@example.com", "wrong").status_code == 401


def test_refresh_gives_a_new_pair_and_an_access_token_does_not_do(make_user: Any) -> None:
    pair = jwt_tokens.issue(make_user("ann", "viewer"))
    client = APIClient()
    renewed = client.post("/api/v1/auth/refresh", {"refresh": pair["refresh"]})
    assert bearer(renewed.json()["access"]).status_code == 200
    assert client.post("/api/v1/auth/refresh", {"refresh": pair["access"]}).status_code == 401
    assert bearer(pair["refresh"]).status_code == 401


def test_a_new_password_revokes_what_was_given_out(make_user: Any) -> None:
    user = make_user("ann", "viewer")
    pair = jwt_tokens.issue(user)
    user.set_password("another long password")
    user.save()
    assert bearer(pair["access"]).status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401


def test_a_token_of_somebody_deactivated_is_worthless(make_user: Any) -> None:
    user = make_user("ann", "viewer")
    token = jwt_tokens.issue(user)["access"]
    user.is_active = False
    user.save()
    assert bearer(token).status_code == 401


def test_expired_foreign_and_unsigned_tokens_are_refused(make_user: Any, settings: Any) -> None:
    user = make_user("ann", "viewer")
    expired = jwt_tokens.encode(user, jwt_tokens.ACCESS, timedelta(seconds=-1))
    good = jwt_tokens.encode(user, jwt_tokens.ACCESS, timedelta(minutes=1))
    unsigned = jwt.encode(jwt.decode(good, options={"verify_signature": False}), None, algorithm="none")
    settings.JWT_SECRET = "another-secret"
    for token in (expired, unsigned, good, "rubbish", "a.b.c"):
        assert bearer(token).status_code == 401


def test_an_api_token_works_until_revoked(make_user: Any) -> None:
    user = make_user("ann", "viewer")
    client = APIClient()
    client.force_authenticate(user)
    made = client.post("/api/v1/auth/tokens", {"name": "nightly import"})
    plain = made.json()["token"]
    assert made.status_code == 201
    assert me(authorization=f"Token {plain}").json()["username"] == "ann"
    assert bearer(plain).status_code == 200
    (listed,) = client.get("/api/v1/auth/tokens").json()["results"]
    assert plain not in str(listed)
    assert listed["last_used_at"]
    assert client.delete(f"/api/v1/auth/tokens/{listed['id']}").status_code == 204
    assert bearer(plain).status_code == 401


def test_the_database_holds_no_plain_token(make_user: Any) -> None:
    token, plain = ApiToken.objects.issue(make_user("ann"), "import")
    assert plain not in str(ApiToken.objects.filter(pk=token.pk).values().get())


def test_an_expired_api_token_is_refused(make_user: Any) -> None:
    _, plain = ApiToken.objects.issue(make_user("ann", "viewer"), "old", timezone.now() - timedelta(seconds=1))
    assert bearer(plain).status_code == 401


def test_use_is_noted_at_most_once_a_minute(make_user: Any, django_assert_num_queries: Any) -> None:
    token, plain = ApiToken.objects.issue(make_user("ann", "viewer"), "busy")
    bearer(plain)
    first = ApiToken.objects.get(pk=token.pk).last_used_at
    bearer(plain)
    assert ApiToken.objects.get(pk=token.pk).last_used_at == first


def test_other_peoples_api_tokens_are_out_of_reach(make_user: Any, client_of: Any) -> None:
    token, _ = ApiToken.objects.issue(make_user("ann", "viewer"), "hers")
    client = client_of("operator")
    assert client.get("/api/v1/auth/tokens").json()["results"] == []
    assert client.delete(f"/api/v1/auth/tokens/{token.pk}").status_code == 404


def test_a_supabase_session_meets_its_local_user(make_user: Any, settings: Any) -> None:
    settings.SUPABASE_JWT_SECRET = SUPABASE
    make_user("ann", "viewer")
    assert bearer(supabase_token()).json()["role"] == "viewer"


def test_a_supabase_session_makes_a_user_who_has_no_password(settings: Any, django_user_model: Any) -> None:
    settings.SUPABASE_JWT_SECRET = SUPABASE
    assert bearer(supabase_token(email="new@example.com")).json()["role"] == "operator"
    assert bearer(supabase_token(email="NEW@example.com")).status_code == 200
    assert not django_user_model.objects.get(email="new@example.com").has_usable_password()


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "anon"},
        {"email": ""},
        {"user_metadata": {"email_verified": False}},
        {"is_anonymous": True},
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
def test_supabase_sessions_that_prove_no_email_are_refused(settings: Any, claims: dict[str, Any]) -> None:
    settings.SUPABASE_JWT_SECRET = SUPABASE
    assert bearer(supabase_token(**claims)).status_code == 401


def test_supabase_sessions_need_the_secret_to_be_set() -> None:
    assert bearer(supabase_token()).status_code == 401


def test_an_unverified_email_never_becomes_a_superuser(make_user: Any, settings: Any) -> None:
    settings.SUPABASE_JWT_SECRET = SUPABASE
    make_user("ann", is_superuser=True)
    assert bearer(supabase_token()).status_code == 401
    assert bearer(supabase_token(app_metadata={"email_verified": True})).status_code == 200


def test_the_admin_lets_people_in_by_email(make_user: Any, client: Any) -> None:
    make_user("ann", is_staff=True, is_superuser=True)
    answer = client.post("/admin/login/", {"username": "ann@example.com", "password": PASSWORD})
    assert answer.status_code == 302
    assert answer["Location"] == "/admin/"


def test_guessing_at_the_admins_login_page_is_braked(make_user: Any, client: Any) -> None:
    make_user("ann", is_staff=True, is_superuser=True)
    for _ in range(10):
        assert client.post("/admin/login/", {"username": "ann", "password": "wrong"}).status_code == 200
    answer = client.post("/admin/login/", {"username": "ann", "password": PASSWORD})
    assert answer.status_code == 429
    assert f"try again in {answer['Retry-After']} seconds" in answer.content.decode()


def test_writing_in_a_session_needs_the_csrf_token(make_user: Any) -> None:
    client = APIClient(enforce_csrf_checks=True)
    make_user("ann", "viewer")
    assert client.login(username="ann", password=PASSWORD)
    refused = client.post("/api/v1/auth/tokens", {"name": "import"})
    assert refused.status_code == 403
    assert refused.json()["error"].startswith("CSRF Failed")
