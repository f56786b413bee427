"""Logging in with e-mail and password, and managing one's own API tokens."""

from typing import Any

from django.contrib.auth import authenticate
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.generics import DestroyAPIView, ListCreateAPIView
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from crmsync import jwt_tokens
from crmsync.api.serializers import (
    ApiTokenSerializer,
    LoginSerializer,
    MeSerializer,
    NewApiTokenSerializer,
    RefreshSerializer,
    TokenPairSerializer,
)
from crmsync.models import ApiToken
from crmsync.roles import VIEWER, role_of
from crmsync.throttles import LoginByAddress, LoginByEmail

AUTH = ["auth"]
TOKENS = ["tokens"]


class StrangersView(APIView):
    """A view for people who have yet to prove who they are."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"


class LoginView(StrangersView):
    """E-mail and password → an access token for 30 minutes and a refresh token for 7 days."""

    throttle_classes = (LoginByAddress, LoginByEmail)

    @extend_schema(operation_id="auth_login", request=LoginSerializer, responses=TokenPairSerializer, tags=AUTH)
    def post(self, request: Request) -> Response:
        login = LoginSerializer(data=request.data)
        login.is_valid(raise_exception=True)
        given = login.validated_data
        user: Any = authenticate(request._request, username=given["email"], password=given["password"])
        if user is None:
            raise AuthenticationFailed("E-mail or password is wrong.")
        return Response(jwt_tokens.issue(user))


class RefreshView(StrangersView):
    """A refresh token → a new pair. A change of the password makes all earlier tokens worthless."""

    throttle_classes = (LoginByAddress,)

    @extend_schema(operation_id="auth_refresh", request=RefreshSerializer, responses=TokenPairSerializer, tags=AUTH)
    def post(self, request: Request) -> Response:
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            user = jwt_tokens.user_of(given.validated_data["refresh"], jwt_tokens.REFRESH)
        except jwt_tokens.InvalidToken as error:
            raise AuthenticationFailed("This refresh token is not valid any more: log in again.") from error
        return Response(jwt_tokens.issue(user))


class MeView(APIView):
    """Who the caller is, and in which role."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="auth_me", responses=MeSerializer, tags=AUTH)
    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response({"id": user.pk, "username": user.username, "email": user.email, "role": role_of(user)})


def own_tokens(request: Request) -> QuerySet[ApiToken]:
    user: Any = request.user
    return ApiToken.objects.filter(user=user)


@extend_schema_view(
    get=extend_schema(operation_id="tokens_list", tags=TOKENS),
    post=extend_schema(
        operation_id="tokens_create",
        request=ApiTokenSerializer,
        responses={201: NewApiTokenSerializer},
        tags=TOKENS,
    ),
)
class ApiTokensView(ListCreateAPIView):
    """The caller's own API tokens. A new one is shown in full in this answer and never again."""

    required_role = VIEWER
    queryset = ApiToken.objects.none()
    filter_backends = ()

    def get_queryset(self) -> QuerySet[ApiToken]:
        return own_tokens(self.request)

    def get_serializer_class(self) -> type[Serializer]:
        return NewApiTokenSerializer if self.request.method == "POST" else ApiTokenSerializer

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        given = ApiTokenSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user: Any = request.user
        token, plain = ApiToken.objects.issue(user, **given.validated_data)
        return Response({**ApiTokenSerializer(token).data, "token": plain}, status=status.HTTP_201_CREATED)


@extend_schema_view(
    delete=extend_schema(
        operation_id="tokens_delete", parameters=[OpenApiParameter("id", int, OpenApiParameter.PATH)], tags=TOKENS
    )
)
class ApiTokenView(DestroyAPIView):
    """Revokes one of the caller's API tokens."""

    required_role = VIEWER
    queryset = ApiToken.objects.none()
    serializer_class = ApiTokenSerializer

    def get_queryset(self) -> QuerySet[ApiToken]:
        return own_tokens(self.request)
