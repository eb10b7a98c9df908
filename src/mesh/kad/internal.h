/* What the files of src/mesh/kad share. */
#ifndef FE_MESH_KAD_INTERNAL_H
#define FE_MESH_KAD_INTERNAL_H

#include "mesh/kad/lookup.h"

/* NEW ── next ──▶ ASKED ── done ──▶ DONE */
enum fe_kad_candidate_state {
    FE_KAD_CANDIDATE_NEW,
    FE_KAD_CANDIDATE_ASKED,
    FE_KAD_CANDIDATE_DONE,
};

struct fe_kad_candidate {
    struct fe_id id;
    enum fe_kad_candidate_state state;
};

#endif
