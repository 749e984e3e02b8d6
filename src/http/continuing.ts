import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { hasBody } from './bodies.ts';

/**
 * Asks clients that wait for it (`Expect: 100-continue`) for the body when somebody begins to read it, and not, as Node does,
 * before anybody has looked at the request: what is refused by its head alone costs no transfer. Node ends a connection whose client
 * was answered without being asked, because that may send the body or not (RFC 9110, section 10.1.1).
 */
export const continueWhenRead = (server: Server): void => {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    const { _read } = request;
    if (!hasBody(request)) response.writeContinue();
    else {
      request._read = (size) => {
        request._read = _read;
        if (!response.headersSent) response.writeContinue();
        _read.call(request, size);
      };
    }
    server.emit('request', request, response);
  });
};
