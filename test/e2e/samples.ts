import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';

/** The programs of a document, by the heading that each stands under. */
export const samplesOf = (name: string): ReadonlyMap<string, string> => {
  const text = readFileSync(new URL(`../fixtures/documents/${name}.md`, import.meta.url), 'utf8');
  return new Map(
    [...text.matchAll(/^#+ (.+)\n\n```\w+\n([\s\S]*?)^```$/gm)].map(([, heading = '', code = '']) => [heading, code]),
  );
};

/** What is put in the place of the host and of the credentials that a document makes up. Nothing else of a sample is changed. */
export const filledIn = (sample: string, url: string): string => {
  const { host } = new URL(url);
  const filled = sample
    .replaceAll('https://your-registry.com', url)
    .replaceAll('http://localhost:7000', url)
    .replaceAll('your-registry.com', host)
    .replaceAll('"username":"user","password":"pass"', `"username":"${ADMIN}","password":"${PASSWORD}"`)
    .replaceAll('"user", "pass"', `"${ADMIN}", "${PASSWORD}"`)
    .replaceAll('"username", "password")', `"${ADMIN}", "${PASSWORD}")`)
    .replaceAll('username:password', `${ADMIN}:${PASSWORD}`)
    .replace('USERNAME="username"', `USERNAME="${ADMIN}"`)
    .replace('PASSWORD="password"', `PASSWORD="${PASSWORD}"`);
  expect(filled, 'the sample names what is filled in').not.to.equal(sample);
  return filled;
};
