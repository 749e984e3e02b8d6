import { RegistryError } from '../../errors.ts';
import type { Visibility } from '../../events/repository.ts';
import type { HttpDeps } from '../deps.ts';
import { userNamed } from './names.ts';
import { PAGE_PARAMETERS, type PageOf, type PageQuery, pageOf } from './page.ts';
import type { Filter } from './repositoriesCandidates.ts';
import { SORTS, type Sort } from './repositoriesOrder.ts';
import type { From } from './repositoriesPage.ts';

const LONGEST_NAME = 255;
const NAME_LETTERS = /^[a-z0-9._/-]*$/;

const text = (description: string, example: string) =>
  ({ type: 'string', maxLength: LONGEST_NAME, description, example }) as const;

/** The parameters of the list of repositories. */
export const LIST_PARAMETERS = {
  ...PAGE_PARAMETERS,
  q: text('Those whose name, or a part of it behind `/`, `.`, `_` or `-`, begins with this, in whatever case.', 'front'),
  sort: {
    enum: SORTS,
    description:
      'By name, last push, bytes, pulls or age, `-` in front for the other way round: `-updated` is newest first. Equal ones are in an order that stays.',
    example: '-updated',
  },
  visibility: { enum: ['private', 'public'] },
  owner: text('Those that belong to this user.', 'ada'),
  prefix: text('Those whose names begin with this.', 'team/'),
  cursor: {
    type: 'string',
    maxLength: 2000,
    description: 'In place of `page`: the `cursor` of the page before, with the same other parameters.',
  },
} as const;

export type ListQuery = PageQuery &
  Readonly<{ q?: string; sort?: Sort; visibility?: Visibility; owner?: string; prefix?: string; cursor?: string }>;

/** `bound`: what a cursor of this list is good for. `filter` is undefined where nothing can meet it. */
export type Asked = Readonly<{ page: PageOf; sort: Sort; filter: Filter | undefined; from: From; bound: string }>;

/** What a cursor holds. */
type Place = Readonly<{ page: number; from: From }>;

const filterOf = async (deps: HttpDeps, query: ListQuery): Promise<Filter | undefined> => {
  const { q = '', visibility, owner, prefix = '' } = query;
  const lower = q.toLowerCase();
  const named = owner === undefined ? undefined : await userNamed(deps, owner);
  if (!NAME_LETTERS.test(lower) || !NAME_LETTERS.test(prefix) || (owner !== undefined && named === undefined)) return undefined;
  return {
    ...(lower !== '' && { text: lower }),
    ...(visibility !== undefined && { visibility }),
    ...(named !== undefined && { ownerId: named.userId }),
    ...(prefix !== '' && { prefix }),
  };
};

const opened = ({ cursors }: HttpDeps, { cursor = '', page }: ListQuery, bound: string): Place => {
  if (page !== undefined) throw new RegistryError('REQUEST_INVALID', 'page and cursor do not go together.', { field: 'page' });
  const place = cursors.open(cursor, bound);
  if (place !== undefined) return place as Place;
  throw new RegistryError('REQUEST_INVALID', 'cursor must be the cursor of a page of the same list.', { field: 'cursor' });
};

/** What a query asks for. @throws RegistryError `REQUEST_INVALID` */
export const askedOf = async (deps: HttpDeps, query: ListQuery): Promise<Asked> => {
  const { q, sort = 'name', visibility, owner, prefix } = query;
  const bound = `repositories ${JSON.stringify([sort, q ?? '', visibility ?? '', owner ?? '', prefix ?? ''])}`;
  const numbered = pageOf(query);
  const { page, from } =
    query.cursor === undefined
      ? { page: numbered.page, from: { skip: (numbered.page - 1) * numbered.limit, seen: 0 } }
      : opened(deps, query, bound);
  return { page: { page, limit: numbered.limit }, sort, filter: await filterOf(deps, query), from, bound };
};

/** @param next where the list goes on behind this page */
export const nextCursor = ({ cursors }: HttpDeps, { page, bound }: Asked, next: From | undefined): string | null => {
  if (next === undefined) return null;
  const place: Place = { page: page.page + 1, from: next };
  return cursors.seal(place, bound);
};
