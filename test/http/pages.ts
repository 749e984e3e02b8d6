import { expect } from 'chai';
import { expectStatus, type HttpClient } from '../support/http.ts';
import { type Json, jsonOf } from './exchanges.ts';

/** A page with its names, where it has some, and the path of the next. */
export const pageOf = async (
  client: HttpClient,
  path: string,
): Promise<Readonly<{ json: Json; names: readonly string[]; next?: string }>> => {
  const answer = expectStatus(path, await client.send('GET', path), 200);
  const json = jsonOf(answer);
  const { tags, repositories } = json as { tags?: readonly string[]; repositories?: readonly string[] };
  const link = answer.headers.link as string | undefined;
  const next = link === undefined ? undefined : /^<([^>]+)>; rel="next"$/.exec(link)?.[1];
  if (link !== undefined) expect(next, link).to.be.a('string');
  return { json, names: tags ?? repositories ?? [], ...(next !== undefined && { next }) };
};

/** What is no whole number. */
export const BAD_N = ['-1', '1.5', 'x', '', '1e3', '0x10', ' 1', '+1', '99999999999999999999', '%00'];
