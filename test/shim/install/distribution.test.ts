import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { distributionOf } from '../../../shim/install/distribution.ts';

const node = (id: string, config: string, has: readonly string[] = [], readsFilesBeside = true) =>
  distributionOf(
    { config },
    { osRelease: `NAME=x\nID=${id}\n`, exists: (path) => has.includes(path), readsFilesBeside },
  );

const MAIN = '/etc/containerd/config.toml';

describe('the distribution of a node', () => {
  it('is told by the system, by the place of the configuration, and by what only one has', () => {
    const k3s = '/var/lib/rancher/k3s/agent/etc/containerd/config.toml';
    for (const [name, found] of [
      ['k3s', node('sles', k3s)],
      ['RKE2', node('ubuntu', k3s.replace('k3s', 'rke2'))],
      ['kind', node('debian', MAIN, ['/kind'])],
      ['EKS', node('"amzn"', MAIN, ['/etc/eks'])],
      ['GKE', node('ubuntu', MAIN, ['/home/kubernetes/kube-env'])],
      ['Linux', node('debian', MAIN)],
    ] as const) {
      assert.equal(found.name, name);
      assert.equal(found.refusal, undefined, name);
    }
  });

  it('is refused where nothing would last, with what does', () => {
    for (const [expected, found] of [
      [/ImageVerificationConfig/, node('talos', '/etc/cri/containerd.toml')],
      [/bootstrap container/, node('bottlerocket', '/etc/containerd/config.toml')],
      [/Ubuntu with containerd/, node('"cos"', MAIN, ['/home/kubernetes/kube-env'])],
      [/NodeConfig, spec\.containerd\.config: imports = /, node('amzn', MAIN, ['/etc/eks'], false)],
      [/config-v3\.toml\.d/, node('debian', '/var/lib/rancher/k3s/agent/etc/containerd/config.toml', [], false)],
      [/config-v3\.toml\.d/, node('debian', '/var/lib/rancher/rke2/agent/etc/containerd/config.toml', [], false)],
    ] as const) {
      assert.match(found.refusal ?? '', expected);
    }
  });
});
