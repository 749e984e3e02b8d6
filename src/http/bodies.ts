import type { IncomingHttpHeaders } from 'node:http';

type Headed = Readonly<{ headers: IncomingHttpHeaders }>;

/** Bytes, as the request announces them. */
export const contentLength = ({ headers }: Headed): number | undefined => {
  const announced = headers['content-length'];
  return announced === undefined ? undefined : Number(announced);
};

export const hasBody = (request: Headed): boolean =>
  request.headers['transfer-encoding'] !== undefined || (contentLength(request) ?? 0) > 0;
