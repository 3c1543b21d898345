/** Every upper bound on bytes and counts from outside, with its reason. Crossing one is an answer, never a crash. */

/** A registry manifest or index: 4 MiB is what the distribution spec asks registries to accept. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** A Sigstore bundle, an envelope or a signed payload, unless the worker is told another size, and the most that it can be told (as much as cosign reads): a signature is below 100 KiB, an SBOM of 40 MiB has 54 in base64. */
export const DEFAULT_EVIDENCE_BYTES = 64 * 1024 * 1024;
export const MAX_BUNDLE_BYTES = 128 * 1024 * 1024;

/** Values and names in one piece of evidence, counted before it is parsed: a bundle with 32 log entries and as many timestamps has 4,000, and costs 2 ms; 10 MiB of short names are 2.3 million, and cost 2 s. */
export const MAX_EVIDENCE_TOKENS = 10_000;

/** The same in a signed statement, which is read only after its signer is proven, and its predicate only where a condition wants it: an SBOM of 40 MiB has 2.8 million, and they cost a second. */
export const MAX_STATEMENT_TOKENS = 6_000_000;

/** The same in a manifest or an index: a layer with a signature in its annotations has 18, so 1,000 of those; parsing them costs 5 ms. */
export const MAX_MANIFEST_TOKENS = 20_000;

/** The same in one file of a TUF repository, which counts for nothing before it is signed: ten for each target. */
export const MAX_TUF_TOKENS = 500_000;

/** Evidence up to this size has threads of its own: a signature with its proofs has 20 KiB, one with ML-DSA 60. */
export const MAX_LIGHT_EVIDENCE_BYTES = 256 * 1024;

/** What judging one piece of evidence may compute, in ms of processor time: the worst that the other limits admit takes a quarter of it, also on a processor that is slow, and the first time. Evidence of more bytes than the last has as much more. */
export const MAX_LIGHT_JUDGING_PROCESSOR_MS = 1_000;
export const MAX_JUDGING_PROCESSOR_MS = 3_000;
export const JUDGED_BYTES = 16 * 1024 * 1024;

/** A token or error body of a registry. */
export const MAX_AUTH_BYTES = 64 * 1024;

/** A docker `config.json`: real ones hold a handful of registries. */
export const MAX_DOCKER_CONFIG_BYTES = 1024 * 1024;

/** Redirects followed for one registry request, as Go's clients do (`net/http` stops after ten). */
export const MAX_REDIRECTS = 10;

/** One registry request, in ms, however much time its caller has: a hung connection must not use up all of it. */
export const MAX_REGISTRY_REQUEST_MS = 30_000;

/** One lookup of a name, in ms: name servers answer in tens of them, and the fast attempt of a check has 2 s. */
export const MAX_LOOKUP_MS = 3_000;

/** One connection, TLS included, in ms; a request that was given up must not leave it behind for longer. */
export const MAX_CONNECT_MS = 5_000;

/** Encodings of one body, such as gzip: servers apply one, and a proxy might add another. */
export const MAX_ENCODINGS = 2;

/** Bytes of an encoded body beyond what they decode to; of incompressible data, 40 MiB take 12 KiB more. */
export const MAX_ENCODING_OVERHEAD_BYTES = 256 * 1024;

/** `/etc/hosts` and `/etc/resolv.conf`: some KiB, or MiB where somebody blocks names by it. */
export const MAX_NAME_FILE_BYTES = 4 * 1024 * 1024;

/** Requests to registries under way in one worker, of which each registry and repository has a fair share. */
export const MAX_REGISTRY_REQUESTS = 512;

/** Questions of which a worker remembers how fast they are answered: more than are under way at once, some 300 bytes each. */
export const MAX_PACED_QUESTIONS = 2_000;

/** A credential helper, in ms: it may ask a cloud's API, and containerd's whole patience is about 10 s. */
export const MAX_CREDENTIAL_HELPER_MS = 5_000;

/** The longest a `Retry-After` is believed, in ms: a registry must not park a verification for a day. */
export const MAX_RETRY_AFTER_MS = 10 * 60 * 1000;

/** How long a connection counts for where its host is after its end, in ms: longer than one request takes, redirects included. */
export const CONNECTED_HOST_MS = 60_000;

/** How long a registry token is reused, in ms, whatever lifetime it was given. */
export const MAX_TOKEN_MS = 60 * 60 * 1000;

/** How long after a fresh authorization was denied as well no other one is asked for, in ms: some registries answer 403 to all that they do not have, and each time would cost a token. */
export const RENEWAL_PAUSE_MS = 10_000;

/** Authorizations held by one worker: one for each repository that was asked lately. */
export const MAX_AUTHORIZATIONS = 1000;

/** Evidence held in memory by one worker: some thousand signatures. */
export const MAX_CACHED_EVIDENCE_BYTES = 64 * 1024 * 1024;

/** Verifications of one worker at once: each holds its workflow task while a fast check runs (the SDK's default is 40). */
export const MAX_VERIFICATIONS = 200;

/** Durable checks of one worker at once: those of the verifications that wait for something (the SDK's default is 100). */
export const MAX_DURABLE_CHECKS = 200;

/** How long a check waits for others of its registry to end before it gives way, in ms: a registry that answers does so sooner. */
export const MAX_SLOT_WAIT_MS = 250;

/** Places for contents above {@link MAX_LIGHT_EVIDENCE_BYTES} that one worker reads or judges at once, and the bytes that one place is for: together 256 MiB. */
export const MAX_LARGE_READS = 32;
export const LARGE_READ_BYTES = 8 * 1024 * 1024;

/** Artefacts of one digest that are read at the same time: enough to hide latency, too few to look like an attack. */
export const MAX_PARALLEL_READS = 6;

/** Signatures looked at for one digest; more is a flood, and the first ones found are judged. */
export const MAX_SIGNATURES = 50;

/** Evidence of one image that is judged: of some sources, each with its {@link MAX_SIGNATURES}. */
export const MAX_EVIDENCE = 400;

/** Judgements that one worker remembers: of some hundred floods, below 1 KiB each. */
export const MAX_JUDGEMENTS = 20_000;

/** Statements of attestations that are remembered with them, in characters: some of the largest. */
export const MAX_KEPT_STATEMENTS = 64 * 1024 * 1024;

/** Subjects of one in-toto statement (sigstore-go `internal/limits`). */
export const MAX_SUBJECTS = 1024;

/** Transparency log entries and timestamps of one bundle (sigstore-go `internal/limits`). */
export const MAX_TLOG_ENTRIES = 32;
export const MAX_TIMESTAMPS = 32;

/** One policy file (hostile YAML costs its parser a second for each 100 KiB), and files in one policy directory. */
export const MAX_POLICY_BYTES = 128 * 1024;
export const MAX_POLICY_FILES = 1000;

/** Documents in one policy file and policies in one directory; each pull walks through all of them. */
export const MAX_POLICIES = 1000;

/** Globs of one policy. */
export const MAX_GLOBS = 200;

/** Authorities of one policy: each one is a check of its own in every verification. */
export const MAX_AUTHORITIES = 20;

/** Identities, places of evidence, signed names and attestations of one authority: each is tried on every signature, or asked for. */
export const MAX_IDENTITIES = 100;
export const MAX_SOURCES = 5;
export const MAX_SIGNED_AS = 50;
export const MAX_ATTESTATION_RULES = 20;

/** Pull secrets of one source; each one is a file. */
export const MAX_PULL_SECRETS = 10;

/** Certificates from a root to the one that signs leaves: real chains have two or three. */
export const MAX_CA_CERTIFICATES = 10;

/** Log entries, timestamps, verified times and co-signatures that a policy can ask for; nobody publishes more. */
export const MAX_DEMANDED = 8;

/** Witnesses that a policy can name. */
export const MAX_WITNESSES = 16;

/** Trust roots in one policy directory: each one is kept fresh by itself. */
export const MAX_TRUST_ROOTS = 50;

/** The message of a static authority, in characters: it becomes part of a sentence. */
export const MAX_STATIC_MESSAGE_LENGTH = 500;

/** Levels of nesting in a policy: real ones have six. */
export const MAX_POLICY_DEPTH = 32;

/** Problems told of one policy file: a person mends the first ones and looks again. */
export const MAX_POLICY_PROBLEMS = 100;

/** Reasons of one verdict, and signers: `workflows/policy/evaluate.ts` gives eight, and one for each authority. */
export const MAX_REASONS = 8;
export const MAX_SIGNERS = 400;

/** One sentence of a verdict, in characters: containerd shows 4 KiB. */
export const MAX_SENTENCE_LENGTH = 4_000;

/** A verdict key file: a PEM block of 300 bytes, and room for what people keep beside it. */
export const MAX_VERDICT_KEY_BYTES = 16 * 1024;

/** A checkpoint, in characters, and its signatures: a log's own is 300 bytes, and each witness adds 150 (C2SP signed-note asks for at least 16). */
export const MAX_CHECKPOINT_LENGTH = 64 * 1024;
export const MAX_CHECKPOINT_SIGNATURES = 100;

/** One JSON answer of a transparency log: an entry is below 100 KiB, and at most ten are asked for at once. */
export const MAX_LOG_ANSWER_BYTES = 1024 * 1024;

/** One request to a transparency log, in ms: these are small answers, and a hung connection must not use up all of a check's time. */
export const MAX_LOG_REQUEST_MS = 10_000;

/** Entries of one look-up: a log keeps one for each signature and kind. */
export const MAX_FOUND_ENTRIES = 10;

/** Trees of one log (Rekor v1 shards): the public one has had a handful. */
export const MAX_LOG_TREES = 64;

/** Full tiles of one log that are held in memory, 8 KiB each. */
export const MAX_CACHED_TILES = 256;

/** What is remembered of one log on disk: a checkpoint for each of its trees, and two as evidence, of three bytes a character. */
export const MAX_LOG_MEMORY_BYTES = 14 * 1024 * 1024;

/** The place that is kept free on the disk for a conviction: two checkpoints and a sentence. */
export const LOG_RESERVE_BYTES = 512 * 1024;

/** A condition over an attestation, in characters: a screen of text; its parser is quadratic for some nestings. */
export const MAX_CONDITION_LENGTH = 4096;

/** What one condition may compute, in ms of processor time: an SBOM of 7 MiB is read and walked through in a third of it. A statement of more bytes than the second has as much more. */
export const MAX_CONDITION_PROCESSOR_MS = 2_000;
export const CONDITION_BYTES = 8 * 1024 * 1024;

/** What one condition may use of memory, in MiB: five times what the largest attestation needs. */
export const MAX_CONDITION_MEMORY_MB = 512;

/** How long one evaluation may take on a machine that is busy with other things, in ms. */
export const MAX_CONDITION_WAIT_MS = 10_000;

/** Certificates that one signature brings along: a leaf and what its authority adds. Only the leaf is used. */
export const MAX_CERTIFICATES = 10;

/** A `trusted_root.json`: the public-good one has 7 KiB. */
export const MAX_TRUSTED_ROOT_BYTES = 1024 * 1024;

/** Authorities of one kind, or logs of one kind, in a trust root: the public-good one has two, GitHub's six. */
export const MAX_TRUST_ENTRIES = 64;

/** Certificates in the chain of one authority: real ones have at most three. */
export const MAX_CHAIN_LENGTH = 10;

/** A file of a TUF repository: what tuf-js allows its largest metadata. */
export const MAX_TUF_FILE_BYTES = 5_000_000;

/** Root versions followed in one refresh, as many as a file system may hold of them without harm: roots change a few times a year. */
export const MAX_ROOT_ROTATIONS = 64;

/** A TUF repository inside a document, unpacked (a gzip bomb grows a thousandfold), and its files. */
export const MAX_MIRROR_BYTES = 8 * 1024 * 1024;
export const MAX_MIRROR_FILES = 1000;

/** One request to a TUF mirror, and all of one refresh, in ms: it runs in the background, nobody waits for it. */
export const MAX_TUF_REQUEST_MS = 10_000;
export const MAX_TUF_REFRESH_MS = 60_000;

/** What is kept of a TUF repository on disk: two sets of metadata in base64. */
export const MAX_TUF_CACHE_BYTES = 32 * 1024 * 1024;

/** One certificate or signed timestamp: Fulcio's have 1 KiB, with ML-DSA 8 KiB; a timestamp may hold a chain of those. */
export const MAX_DER_BYTES = 64 * 1024;

/** The URI of a key in a KMS: the ARN of an alias has 310 characters, the name of a host 255. */
export const MAX_KEY_URI_LENGTH = 1024;

/** One request to a KMS, in ms: it answers in tens of them, and a hung connection must not use up all of a pull's time. */
export const MAX_KMS_REQUEST_MS = 5_000;

/** One answer of a KMS: of GetPublicKey, for ML-DSA-87, it has 4 KiB. */
export const MAX_KMS_ANSWER_BYTES = 256 * 1024;

/** Keys in KMS whose state is remembered by one worker: some for each policy. */
export const MAX_MANAGED_KEYS = 1000;

/** Keys that an alias meant before, which are remembered: it moves some times a year. */
export const MAX_PREVIOUS_KEYS = 5;

/** Versions of one key under which a signature may hold, the newest ones: each costs a verification of a signature by none. */
export const MAX_KEY_VERSIONS = 100;

/** A `hosts.toml` or a file of certificates: all that a system trusts are some 250 KiB. */
export const MAX_HOSTS_FILE_BYTES = 1024 * 1024;

/** Mirrors of one registry, and entries of each list that describes one. */
export const MAX_REGISTRY_MIRRORS = 32;

/** Credential providers of a worker: a kubelet has a handful. */
export const MAX_CREDENTIAL_PROVIDERS = 32;

/** Fields of one bundle or trusted root that are not known here: two new ones in each log and authority of the largest trusted root. Each is compared with the known names. */
export const MAX_UNKNOWN_FIELDS = 512;

/** Digests below one index: published images have fewer than 50. A verdict names all of them, 73 bytes each. */
export const MAX_LISTED = 300;

/** Digests of which a worker remembers what lists them: of some thousand images, 3 MB. */
export const MAX_REMEMBERED_DIGESTS = 30_000;

/** Repositories and digests of which a worker remembers that the one does not have the other, and for how long, in ms. */
export const MAX_ABSENT = 20_000;
export const ABSENT_MS = 600_000;

/** A policy statement, in bytes: nodes read 256 KiB of base64. Of it what is revoked: some 1,800 digests. */
export const MAX_STATEMENT_BYTES = 190_000;
export const MAX_STATED_REVOCATION_BYTES = 140_000;

/** Repositories in which a worker looks for a digest that is revoked now; for all of them, and for one, in ms. */
export const MAX_RECENT_PLACES = 200;
export const BACKGROUND_LOOK_MS = 6_000;
export const PLACE_LOOK_MS = 2_000;

/** What a worker keeps of revocations: 20,000 digests of 75 bytes, and names. */
export const MAX_REVOCATION_FILE_BYTES = 4 * 1024 * 1024;

/** Of a file of certificates or a key for Temporal: the authorities of a whole system are 250 KB. */
export const MAX_TEMPORAL_FILE_BYTES = 1024 * 1024;
