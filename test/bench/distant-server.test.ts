import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type DistantServer, startDistantServer } from './distant-server.ts';

describe('a distant server', () => {
  let distant: DistantServer;
  const target = createServer(async (request, response) => {
    const body = await request.reduce((text, chunk) => text + String(chunk), '');
    response.writeHead(202, { 'x-path': request.url }).end(`${request.method} ${body}`);
  });
  before(async () => {
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
    // It listens on a port, so its address is no string.
    distant = await startDistantServer(`127.0.0.1:${(target.address() as AddressInfo).port}`);
  });
  after(async () => {
    await distant.stop();
    target.close();
  });

  it('passes requests and answers on as they are, and counts them', async () => {
    const response = await fetch(`http://${distant.address}/a?b=c`, { method: 'POST', body: 'hello' });
    assert.deepEqual([response.status, response.headers.get('x-path')], [202, '/a?b=c']);
    assert.equal(await response.text(), 'POST hello');
    assert.deepEqual([distant.takeRequests(), distant.takeRequests()], [1, 0]);
  });

  it('is as far away as it is told', async () => {
    distant.roundTripMs = 40;
    const began = performance.now();
    await (await fetch(`http://${distant.address}/`)).text();
    assert.ok(performance.now() - began >= 39, 'no answer can be there before the round trip');
    distant.roundTripMs = 0;
  });
});
