import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FLEET_RULE, isFleetName } from '../../workflows/fleet.ts';
import { proxyProblem } from '../../workflows/format/proxy.ts';
import { canonicalRegistry } from '../../workflows/format/registry-host.ts';
import { parseDestinations } from '../http/destinations.ts';
import { DEFAULT_EVIDENCE_BYTES, MAX_BUNDLE_BYTES } from '../limits.ts';
import { runWorker } from '../worker.ts';

const DEFAULT_BUNDLE = fileURLToPath(new URL('../../dist/workflows.js', import.meta.url));

const MIB = 1024 * 1024;

const HELP = `Carries out verifications: fetches signatures, checks them by policy, signs verdicts.

Usage: portcullis worker --policy DIR --verdict-key KEY [OPTIONS]

  --policy DIR            directory of policy documents; changes are picked up by themselves (required)
  --shared-policy         accept a policy directory that other users may change, such as a volume that another
                          container (git-sync) fills; without it, such a directory is refused
  --verdict-key KEY       what signs the verdicts: the private key file of "portcullis keys init", or the URI of a key
                          in a KMS of "portcullis keys init --kms", such as awskms:///alias/verdicts (required)
  --state DIR             what has to survive a restart is kept here, in a folder that no other user may change: trust roots as their mirrors last told them, and the
                          newest checkpoint of each transparency log, and every revocation; without it a restart begins with none of them
  --task-queue NAME       (default portcullis)
  --fleet NAME            for whom statements and verdicts are signed: nodes of another fleet do not use them, also where they
                          know the key; the same as --fleet of the nodes (default: the task queue)
  --plain-http HOST:PORT  speak plain HTTP to this registry; may be given more than once (loopback with a
                          port needs none); a HOST without a port is asked at port 80
  --allow-internal HOST[:PORT]|ADDRESS[:PORT]|CIDR
                          connect to this host or range although it is internal; may be given more than once. Without it the worker connects to no
                          loopback, link-local or metadata address that an image's name or a registry leads to, and to no private address that
                          a registry refers to unless the registry is on a private network itself
  --registry-hosts DIR    mirrors, CAs and client certificates of registries as containerd has them, DIR/HOST/hosts.toml; may be
                          given more than once, and the first that knows a registry counts
  --credential-provider-config FILE, --credential-provider-bin-dir DIR
                          programs that know registry credentials, as kubelet's --image-credential-provider-* name them
  --proxy environment|off whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY count (default environment)
  --max-evidence-mib N    the largest bundle, envelope or signed payload that is read, in MiB, from 1 to 128: an SBOM of 40 MiB is an
                          attestation of 54. One that is judged takes about ten times as much memory (default 64)
  --metrics IP:PORT       where Prometheus scrapes /metrics; "off" for nowhere (default 127.0.0.1:9464)
  --workflow-bundle FILE  (default dist/workflows.js, made by "npm run build")

Temporal is found as the Temporal CLI finds it: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TLS_* or its
configuration file; certificates and keys that are renewed on disk are used within seconds. Registry credentials are those of docker (DOCKER_CONFIG or
~/.docker/config.json), then those of podman (REGISTRY_AUTH_FILE or its usual place), then those of the credential providers.

SIGTERM and SIGINT stop taking work and let the running checks end.`;

export const workerCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        policy: { type: 'string' },
        'shared-policy': { type: 'boolean', default: false },
        'verdict-key': { type: 'string' },
        state: { type: 'string' },
        'task-queue': { type: 'string', default: 'portcullis' },
        fleet: { type: 'string' },
        'plain-http': { type: 'string', multiple: true, default: [] },
        'allow-internal': { type: 'string', multiple: true, default: [] },
        'registry-hosts': { type: 'string', multiple: true, default: [] },
        'credential-provider-config': { type: 'string' },
        'credential-provider-bin-dir': { type: 'string' },
        proxy: { type: 'string', default: 'environment' },
        'max-evidence-mib': { type: 'string', default: String(DEFAULT_EVIDENCE_BYTES / MIB) },
        metrics: { type: 'string', default: '127.0.0.1:9464' },
        'workflow-bundle': { type: 'string', default: DEFAULT_BUNDLE },
      },
    });
    if (values.policy === undefined || values['verdict-key'] === undefined) {
      console.error('portcullis worker: --policy and --verdict-key are needed; see "portcullis worker --help"');
      return 2;
    }
    const { 'credential-provider-config': config, 'credential-provider-bin-dir': binDir } = values;
    if ((config === undefined) !== (binDir === undefined)) {
      console.error(
        'portcullis worker: --credential-provider-config and --credential-provider-bin-dir belong together',
      );
      return 2;
    }
    const unknown = values['plain-http'].find((one) => canonicalRegistry(one) === undefined);
    if (unknown !== undefined) {
      console.error(
        `portcullis worker: --plain-http: expected HOST:PORT, found ${JSON.stringify(unknown.slice(0, 80))}`,
      );
      return 2;
    }
    if (values.proxy !== 'environment' && values.proxy !== 'off') {
      console.error('portcullis worker: --proxy: expected environment or off; see "portcullis worker --help"');
      return 2;
    }
    const destinations = parseDestinations(values['allow-internal']);
    if ('unknown' in destinations) {
      console.error(
        `portcullis worker: --allow-internal: expected HOST[:PORT], ADDRESS[:PORT] or CIDR, found ${JSON.stringify(destinations.unknown.slice(0, 80))}`,
      );
      return 2;
    }
    const proxies = values.proxy === 'off' ? {} : process.env;
    const problem = proxyProblem(proxies);
    if (problem !== undefined) {
      console.error(`portcullis worker: ${problem}`);
      return 2;
    }
    const fleet = values.fleet ?? values['task-queue'];
    if (!isFleetName(fleet)) {
      console.error(
        `portcullis worker: --fleet: expected ${FLEET_RULE}; a task queue of another form needs a fleet of its own`,
      );
      return 2;
    }
    const maxEvidence = values['max-evidence-mib'];
    if (!/^[1-9]\d{0,2}$/.test(maxEvidence) || Number(maxEvidence) * MIB > MAX_BUNDLE_BYTES) {
      const found = JSON.stringify(maxEvidence.slice(0, 80));
      console.error(
        `portcullis worker: --max-evidence-mib: expected a whole number from 1 to ${MAX_BUNDLE_BYTES / MIB}, found ${found}`,
      );
      return 2;
    }
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
    await runWorker(
      {
        policy: values.policy,
        sharedPolicy: values['shared-policy'],
        verdictKey: values['verdict-key'],
        state: values.state,
        taskQueue: values['task-queue'],
        fleet,
        plainHttp: values['plain-http'],
        allowInternal: values['allow-internal'],
        registryHosts: values['registry-hosts'],
        credentialProviders: config === undefined || binDir === undefined ? undefined : { config, binDir },
        proxies,
        maxEvidenceBytes: Number(maxEvidence) * MIB,
        metrics: values.metrics === 'off' ? undefined : values.metrics,
        workflowBundle: values['workflow-bundle'],
      },
      stop.signal,
    );
    return 0;
  },
};
