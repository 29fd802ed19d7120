# An image of jot alone: docker build -t jot . && docker run --rm -p 127.0.0.1:8080:8080 -v jot-data:/data jot
# docs/server.md says how it is run for real.
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 GOWORK=off go build -C cmd/jot -trimpath -buildvcs=false -ldflags=-s -o /out/jot . && mkdir -m 0700 /out/data

FROM scratch
# Whom it trusts when it fetches the keys of others.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/jot /usr/local/bin/jot
# Secrets and database, for this user alone.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/jot"]
CMD ["serve", "--addr", ":8080", "--issuer", "http://localhost:8080", "--data", "/data"]
