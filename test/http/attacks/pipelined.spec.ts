import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { basic, pushBlob } from '../../support/http.ts';
import { digestOf, noise } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { connection } from '../raw.ts';

const BYTES = noise(8 * 1024 * 1024, 'pipelined');
const LAYER = { bytes: BYTES, digest: digestOf(BYTES), mediaType: 'application/octet-stream' };
const PIPELINED = 50;

describe('a client that asks for many layers on one connection, and reads none', () => {
  const registry = registryFor();
  before(() => pushBlob(registry().admin, 'a/slow', LAYER));

  /** How often this process has the layer open. */
  const opened = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith(LAYER.digest.slice(7));
      } catch {
        return false; // the one of the listing itself
      }
    }).length;

  it('has no more than one of them open, and none when it has gone', async () => {
    const client = await connection(registry().port);
    client.pause().on('error', () => undefined);
    const request = `GET /v2/a/slow/blobs/${LAYER.digest} HTTP/1.1\r\nHost: registry.test\r\nAuthorization: ${basic(ADMIN, PASSWORD)}\r\n\r\n`;
    client.write(request.repeat(PIPELINED));
    await waitUntil('the first is under way', () => opened() > 0);
    for (let turn = 0; turn < 20; turn += 1) await registry().admin.send('GET', '/v2/');
    const most = opened();
    client.destroy();
    await waitUntil('all are closed', () => opened() === 0, { withinMs: 5000 }).catch(() => undefined);
    expect({ most, left: opened() }).to.deep.equal({ most: 1, left: 0 });
  });

  it('gets all of them, one after the other, when it reads', async () => {
    const client = await connection(registry().port);
    const head = `GET /v2/a/slow/blobs/${LAYER.digest} HTTP/1.1\r\nHost: registry.test\r\nAuthorization: ${basic(ADMIN, PASSWORD)}\r\n`;
    let received = 0;
    client.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    client.write(`${`${head}\r\n`.repeat(3)}${head}Connection: close\r\n\r\n`);
    await once(client, 'close');
    expect(received).to.be.within(4 * BYTES.length, 4 * BYTES.length + 4000);
  });
});
