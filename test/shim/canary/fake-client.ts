import type { Canaries } from '../../../shim/canary/canary.ts';
import type { PullClient } from '../../../shim/canary/clients.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { REASON_OUTCOME } from '../../../workflows/verdict/reason.ts';

/** A containerd as the canary sees it: what it does with a pull whose digest is resolved. `undefined` pulls. */
export type Behaviour = (image: string, digest: Digest) => string | undefined;

/** A client of such a containerd, and what is on its node. */
export function fakeClient(behaviour: Behaviour) {
  const onNode = new Set<string>();
  const removed: string[] = [];
  let swept = 0;
  const client: PullClient = {
    name: 'fake',
    async pull(image) {
      const isCanary = image.startsWith('127.0.0.1:');
      const url = image.replace(/^([^/]+)\/(.*):(\w+)$/, 'http://$1/v2/$2/manifests/$3');
      const digest = isCanary ? (await fetch(url)).headers.get('docker-content-digest') : 'sha256:0';
      const refusal = behaviour(image, digest as Digest); // from a registry of our own
      if (refusal === undefined) onNode.add(image);
      return refusal;
    },
    has: async (image) => onNode.has(image),
    async remove(image) {
      onNode.delete(image);
      removed.push(image);
    },
    async sweep() {
      swept++;
    },
    close() {},
  };
  return { client, onNode, removed, sweeps: () => swept };
}

/** containerd 2.4's words for a verifier's no. */
export function blocked(image: string, words: string): string {
  return `2 UNKNOWN: failed to pull and unpack image "${image}": image verifier bindir blocked pull of ${image} with digest sha256:0 for reason: verifier portcullis-verifier rejected image (exit code 1): ${words}`;
}

/** A containerd that asks this daemon as it should. */
export function asking(canaries: Canaries): Behaviour {
  return (name, digest) => {
    canaries.onAsked({ name, digest });
    const reason = canaries.rule({ name, digest });
    if (reason !== undefined && REASON_OUTCOME[reason.code] === 'allow') return undefined;
    return blocked(name, reason === undefined ? 'TEMPORAL_UNREACHABLE: nobody' : `${reason.code}: ${reason.sentence}`);
  };
}
