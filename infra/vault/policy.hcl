# What a worker needs of a transit engine: to see the public keys and versions of a key. `release` stands for the key's
# name, `transit` for the engine's mount.
path "transit/keys/release" {
  capabilities = ["read"]
}

# Only where a policy has the server verify:
# path "transit/verify/release" {
#   capabilities = ["update"]
# }

# Only for the worker that signs verdicts, with a key of its own:
# path "transit/keys/verdicts" {
#   capabilities = ["read"]
# }
# path "transit/sign/verdicts" {
#   capabilities = ["update"]
# }
