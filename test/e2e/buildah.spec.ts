import { buildah } from '../support/clients.ts';
import { storageClient } from './storageClient.ts';

storageClient('buildah', buildah);
