import flatend from "./index.js";

export default flatend;
export const {
    Node,
    Context,
    Provider,
    Stream,
    CallResponse,
    FlatendError,
    ID,
    Table,
    UpdateResult,
    Session,
    generateSecretKey,
    loadSecretKey,
    loadOrCreateSecretKey,
    saveSecretKey,
    publicKey,
    loadMeshSecret,
    splitHostPort,
    getAvailableAddress,
    drain,
    lengthPrefixed,
    prefixLength,
    fromHttp,
    fromFetch,
    version,
} = flatend;
