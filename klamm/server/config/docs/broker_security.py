"""What the broker keys of `tables/broker_security.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

SECURITY_DOCS: Final[dict[str, str]] = {
    "connections.max.reauth.ms": (
        "Longest life of a SASL session before the client must authenticate again; 0 is no bound."
    ),
    "delegation.token.expiry.check.interval.ms": "How often expired delegation tokens are looked for and removed.",
    "delegation.token.expiry.time.ms": "How long a delegation token is good for unless it is renewed.",
    "delegation.token.max.lifetime.ms": "Age past which a delegation token cannot be renewed.",
    "delegation.token.secret.key": "Secret by which delegation tokens are made and checked; the same on every node.",
    "principal.builder.class": "Class that derives the principal from an authenticated connection.",
    "sasl.client.callback.handler.class": "Class that supplies the credentials of SASL clients of this node.",
    "sasl.enabled.mechanisms": "SASL mechanisms that the node offers.",
    "sasl.jaas.config": "JAAS entry with the credentials of a listener's SASL mechanism.",
    "sasl.kerberos.kinit.cmd": "Path of the kinit command.",
    "sasl.kerberos.min.time.before.relogin": (
        "Milliseconds that a Kerberos login thread waits at least between two renewals."
    ),
    "sasl.kerberos.principal.to.local.rules": (
        "Rules that turn Kerberos principals into short names; the first that matches is used."
    ),
    "sasl.kerberos.service.name": "Kerberos name of the service that the brokers run as.",
    "sasl.kerberos.ticket.renew.jitter": "Random part added to the renewal time of Kerberos tickets, as a fraction.",
    "sasl.kerberos.ticket.renew.window.factor": "Part of a Kerberos ticket's life after which it is renewed.",
    "sasl.login.callback.handler.class": "Class that handles the callbacks of a SASL login.",
    "sasl.login.class": "Class that carries out the SASL login.",
    "sasl.login.connect.timeout.ms": "How long connecting to the OAuth provider may take.",
    "sasl.login.read.timeout.ms": "How long reading from the OAuth provider may take.",
    "sasl.login.refresh.buffer.seconds": "Seconds before a credential's expiry that a refresh should leave free.",
    "sasl.login.refresh.min.period.seconds": "Seconds that a login waits at least before it refreshes a credential.",
    "sasl.login.refresh.window.factor": "Part of a credential's life after which it is refreshed.",
    "sasl.login.refresh.window.jitter": "Random part of a credential's life added to the refresh time.",
    "sasl.login.retry.backoff.max.ms": "Longest pause between two attempts to log in at the OAuth provider.",
    "sasl.login.retry.backoff.ms": "First pause between two attempts to log in at the OAuth provider.",
    "sasl.mechanism.controller.protocol": "SASL mechanism of connections to controllers.",
    "sasl.mechanism.inter.broker.protocol": "SASL mechanism of connections between brokers.",
    "sasl.oauthbearer.assertion.algorithm": "Algorithm that signs the assertion sent to the OAuth token endpoint.",
    "sasl.oauthbearer.assertion.claim.aud": "Audience claim of the assertion.",
    "sasl.oauthbearer.assertion.claim.exp.seconds": "Seconds from now at which the assertion expires.",
    "sasl.oauthbearer.assertion.claim.iss": "Issuer claim of the assertion.",
    "sasl.oauthbearer.assertion.claim.jti.include": "Whether the assertion carries a unique id.",
    "sasl.oauthbearer.assertion.claim.nbf.seconds": "Seconds before now from which the assertion is valid.",
    "sasl.oauthbearer.assertion.claim.sub": "Subject claim of the assertion.",
    "sasl.oauthbearer.assertion.file": "File with a finished assertion to send.",
    "sasl.oauthbearer.assertion.private.key.file": "PEM file with the private key that signs the assertion.",
    "sasl.oauthbearer.assertion.private.key.passphrase": "Passphrase of the key that signs the assertion.",
    "sasl.oauthbearer.assertion.template.file": "File with headers and claims that the assertion starts from.",
    "sasl.oauthbearer.client.credentials.client.id": "Client id for the OAuth client credentials grant.",
    "sasl.oauthbearer.client.credentials.client.secret": "Client secret for the OAuth client credentials grant.",
    "sasl.oauthbearer.clock.skew.seconds": "Seconds by which clocks may differ when a token's times are checked.",
    "sasl.oauthbearer.expected.audience": "Audiences of which a token must name at least one.",
    "sasl.oauthbearer.expected.issuer": "Issuer that a token must name.",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": "How often the keys that tokens are checked with are fetched again.",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": "Longest pause between two attempts to fetch the keys.",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": "First pause between two attempts to fetch the keys.",
    "sasl.oauthbearer.jwks.endpoint.url": "URL of the keys that tokens are checked with.",
    "sasl.oauthbearer.jwt.retriever.class": "Class that gets the token for outgoing connections.",
    "sasl.oauthbearer.jwt.validator.class": "Class that checks tokens.",
    "sasl.oauthbearer.scope": "Scope that is asked for at the token endpoint.",
    "sasl.oauthbearer.scope.claim.name": "Name of the claim that holds a token's scope.",
    "sasl.oauthbearer.sub.claim.name": "Name of the claim that holds a token's subject.",
    "sasl.oauthbearer.token.endpoint.url": "URL at which tokens are asked for; a file URL names a finished token.",
    "sasl.server.callback.handler.class": (
        "Class that checks the credentials of SASL clients; set per listener and mechanism."
    ),
    "sasl.server.max.receive.size": "Largest message that is read before and during SASL authentication.",
    "security.inter.broker.protocol": (
        "Security protocol between brokers; not to be combined with inter.broker.listener.name."
    ),
    "security.providers": "Classes that supply security algorithms.",
    "ssl.allow.dn.changes": "Whether a renewed certificate may bear another distinguished name.",
    "ssl.allow.san.changes": "Whether a renewed certificate may lack alternative names of the old one.",
    "ssl.cipher.suites": "TLS cipher suites to allow; empty means those that the TLS library prefers.",
    "ssl.client.auth": "Whether clients must show a certificate (required), may (requested) or are not asked (none).",
    "ssl.enabled.protocols": "TLS versions to allow.",
    "ssl.endpoint.identification.algorithm": (
        "How the name in the server's certificate is checked; empty means not at all."
    ),
    "ssl.engine.factory.class": "Class that makes TLS engines.",
    "ssl.key.password": "Password of the private key.",
    "ssl.keymanager.algorithm": "Algorithm of the key manager.",
    "ssl.keystore.certificate.chain": "Certificate chain in PEM form, as text.",
    "ssl.keystore.key": "Private key in PEM form, as text.",
    "ssl.keystore.location": "File of the key store.",
    "ssl.keystore.password": "Password of the key store; PEM files have none.",
    "ssl.keystore.type": "Format of the key store: JKS, PKCS12 or PEM.",
    "ssl.principal.mapping.rules": (
        "Rules that turn a certificate's distinguished name into a user name; the first that matches is used."
    ),
    "ssl.protocol": "TLS version that new contexts are made for.",
    "ssl.provider": "Security provider of TLS connections.",
    "ssl.secure.random.implementation": "Random number generator of TLS connections.",
    "ssl.trustmanager.algorithm": "Algorithm of the trust manager.",
    "ssl.truststore.certificates": "Trusted certificates in PEM form, as text.",
    "ssl.truststore.location": "File of the trust store.",
    "ssl.truststore.password": "Password of the trust store; without it the store's integrity is not checked.",
    "ssl.truststore.type": "Format of the trust store: JKS, PKCS12 or PEM.",
}
