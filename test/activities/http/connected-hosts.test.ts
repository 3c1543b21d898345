import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { ConnectedHosts } from '../../../activities/http/connected-hosts.ts';

class Connection extends EventEmitter {
  readonly remoteAddress: string | undefined;

  constructor(remoteAddress: string | undefined) {
    super();
    this.remoteAddress = remoteAddress;
  }
}

describe('a host that was connected to', () => {
  for (const [addresses, isPrivate] of [
    [['10.0.0.5'], true],
    [['fd00::5', '::ffff:192.168.1.1'], true],
    [['10.0.0.5', '8.8.8.8'], false],
    [['8.8.8.8'], false],
    [['127.0.0.1'], false],
    [['10.0.0.5', '169.254.169.254'], false],
    [[undefined], false],
    [[], false],
  ] as const) {
    it(`${isPrivate ? 'is' : 'is not'} private at ${addresses.map(String).join(', ') || 'no address'}`, () => {
      const hosts = new ConnectedHosts();
      for (const address of addresses) hosts.add('r.corp', 443, new Connection(address));
      assert.equal(hosts.isPrivate('r.corp', 443), isPrivate);
      assert.equal(hosts.isPrivate('r.corp', 80), false);
    });
  }

  it('keeps what a connection showed for a while after its end, and no longer', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const hosts = new ConnectedHosts(1_000);
    const [publicly, privately] = [new Connection('8.8.8.8'), new Connection('10.0.0.5')];
    hosts.add('[fd00::1]', 443, publicly);
    hosts.add('fd00::1', 443, privately);
    publicly.emit('close');
    t.mock.timers.tick(999);
    assert.equal(hosts.isPrivate('fd00::1', 443), false);
    t.mock.timers.tick(1);
    assert.equal(hosts.isPrivate('[fd00::1]', 443), true);
    privately.emit('close');
    t.mock.timers.tick(999);
    assert.equal(hosts.isPrivate('fd00::1', 443), true);
    t.mock.timers.tick(1);
    assert.equal(hosts.isPrivate('fd00::1', 443), false);
  });
});
