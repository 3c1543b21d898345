import { extendedKeyUsage, issue, issueRoot } from '../support/virtual-sigstore/ca.ts';
import { context, sequence } from '../support/virtual-sigstore/der.ts';
import { createKeyPair } from '../support/virtual-sigstore/key-pair.ts';

/** A certificate and its key, as PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** A private authority. */
export interface Authority {
  readonly pem: string;
  /** For `svc.test`, `svc.behind.test` and 127.0.0.1. */
  server(): Identity;
  client(name: string): Identity;
}

const DAY = 24 * 60 * 60 * 1000;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** Makes one. */
export function createAuthority(name: string): Authority {
  const window = { from: new Date(Date.now() - DAY), until: new Date(Date.now() + DAY) };
  const root = issueRoot(name, window);
  const identity = (commonName: string, purpose: string, extensions: Parameters<typeof issue>[2]['extensions']) => {
    const key = createKeyPair();
    const all = [extendedKeyUsage([purpose]), ...extensions];
    const { pem } = issue(root, key, { commonName, window, extensions: all });
    return { cert: pem, key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  };
  return {
    pem: root.pem,
    server: () => identity('svc.test', SERVER_AUTH, [subjectAltName(['svc.test', 'svc.behind.test'])]),
    client: (common) => identity(common, CLIENT_AUTH, []),
  };
}

/** RFC 5280 section 4.2.1.6: these names and 127.0.0.1. */
function subjectAltName(names: readonly string[]) {
  const dns = names.map((name) => context(2, Buffer.from(name), false));
  const value = sequence(...dns, context(7, Buffer.from([127, 0, 0, 1]), false));
  return { id: '2.5.29.17', critical: false, value };
}
