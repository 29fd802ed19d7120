"""Does jobs for the tests of the packages beside this folder, as ../npm/peer.mjs does: one job in JSON a line on standard
input, one answer a line on standard output. What a job fails with is {"failed": TEXT}."""

import json
import os
import sys
import tempfile

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the server is on this machine

import authlib.oauth2.rfc7523
import requests
from authlib.integrations import requests_client
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import JWKRegistry, KeySet


def server(job):
    return requests.get(job["issuer"] + "/.well-known/openid-configuration").json()


def claims(job, kind):
    defect = job.get("defect") or {}
    return dict(defect["claims"]) if defect.get("kind") == kind else None


def pem(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def session(job, meta, directory):
    method = job.get("method", "none")
    secret = job.get("secret")
    if method == "private_key_jwt":
        secret = JWKRegistry.import_key(job["key"])
    basic = method if not method.endswith("tls_client_auth") else "none"
    s = requests_client.OAuth2Session(
        job["client_id"],
        secret,
        token_endpoint_auth_method=basic,
        revocation_endpoint_auth_method=basic,
        token_endpoint=meta["token_endpoint"],
    )
    # RFC 7523 lets the aud be the URL of the token endpoint, which is what it writes unless told; RFC 10070 does not.
    if method == "private_key_jwt":
        s.register_client_auth_method(
            PrivateKeyJWT(job["issuer"], claims(job, "client-assertion"), {"kid": job["key"]["kid"]}, alg="ES256")
        )
    if method == "client_secret_jwt":
        s.register_client_auth_method(ClientSecretJWT(job["issuer"], claims(job, "client-assertion")))
    if tls := job.get("tls"):
        s.trust_env = False  # where others may have named authorities
        s.verify = pem(directory, "ca", tls["ca"])
        if tls.get("cert"):
            s.cert = (pem(directory, "cert", tls["cert"]), pem(directory, "key", tls["key"]))
    return s


def read(response):
    """What its introspection and revocation return is the response of requests."""
    if not response.ok:
        raise RuntimeError(response.text)
    return response.json() if response.text else {}


def authlib_service(job):
    meta = server(job)
    if job.get("tls"):
        meta.update(meta["mtls_endpoint_aliases"])
    what = job["what"]
    if what == "verify":
        return verify(job, meta)
    if grant := job.get("grant"):
        s = requests_client.AssertionSession(
            meta["token_endpoint"],
            grant["issuer"],
            grant["subject"],
            header={"kid": grant["key"]["kid"]},
            alg="ES256",
            key=JWKRegistry.import_key(grant["key"]),
            claims=claims(job, "authorization-grant"),
            scope=job["parameters"].get("scope"),
        )
        return dict(s.refresh_token())
    with tempfile.TemporaryDirectory() as directory:
        s = session(job, meta, directory)
        if what == "token":
            parameters = dict(job["parameters"])
            if parameters["grant_type"] == "refresh_token":
                del parameters["grant_type"]
                s.token = {"access_token": "none"}
                return dict(s.refresh_token(meta["token_endpoint"], **parameters))
            return dict(s.fetch_token(meta["token_endpoint"], **parameters))
        if what == "introspect":
            return read(s.introspect_token(meta["introspection_endpoint"], token=job["token"]))
        if what == "revoke":
            return read(s.revoke_token(meta["revocation_endpoint"], token=job["token"]))
    raise ValueError("what is " + what)


def verify(job, meta):
    class Validator(JWTBearerTokenValidator):
        def get_jwks(self):
            return KeySet.import_key_set(requests.get(meta["jwks_uri"]).json())

    v = Validator(issuer=job["issuer"], resource_server=job["audience"])
    token = v.authenticate_token(job["token"])
    v.validate_token(token, None, None)
    return dict(token)


def names(_):
    """What the parts of Authlib that a client is made of export."""
    both = [requests_client.OAuth2Session, requests_client.AssertionSession]
    own = {name for c in both for name in dir(c) if not hasattr(requests.Session, name) and not name.startswith("_")}
    return {"names": {"Authlib": sorted(own | set(authlib.oauth2.rfc7523.__all__))}}


jobs = {"serviceAuthlib": authlib_service, "names": names}

for line in sys.stdin:
    try:
        job = json.loads(line)
        answer = jobs[job["do"]](job)
    except Exception as e:
        answer = {"failed": f"{type(e).__name__}: {e}"}
    print(json.dumps(answer), flush=True)
