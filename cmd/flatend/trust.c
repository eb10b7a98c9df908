/* flatend trust: how to make this machine trust the local CA. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "web/tls/local_ca.h"

static const char HOW[] =
    "The local CA, which signs the certificates of https = \"local\":\n"
    "\n"
    "    %1$s\n"
    "\n"
    "A client that trusts it trusts this machine for local names, and for nothing else: it can\n"
    "sign no other names. The key beside it must stay on this machine.\n"
    "\n"
    "Debian, Ubuntu\n"
    "    sudo cp '%1$s' /usr/local/share/ca-certificates/flatend-local.crt\n"
    "    sudo update-ca-certificates\n"
    "Fedora, RHEL\n"
    "    sudo cp '%1$s' /etc/pki/ca-trust/source/anchors/flatend-local.pem\n"
    "    sudo update-ca-trust\n"
    "Chromium, Chrome (certutil is in the package libnss3-tools)\n"
    "    mkdir -p ~/.pki/nssdb\n"
    "    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n 'flatend local CA' -i '%1$s'\n"
    "Firefox\n"
    "    Settings, Privacy & Security, View Certificates, Authorities, Import\n"
    "macOS\n"
    "    sudo security add-trusted-cert -d -r trustRoot \\\n"
    "        -k /Library/Keychains/System.keychain '%1$s'\n"
    "Windows, as administrator\n"
    "    certutil -addstore -f ROOT '%1$s'\n"
    "curl, for one command\n"
    "    curl --cacert '%1$s' https://localhost/\n"
    "Node.js\n"
    "    NODE_EXTRA_CA_CERTS='%1$s' node ...\n";

int fe_command_trust(const struct fe_options *options)
{
    const struct fe_log log = {fe_command_log, NULL, FLATEND_LOG_ERROR};
    struct fe_local_ca *ca = NULL;
    struct fe_config *config;
    struct flatend_error err;
    char path[PATH_MAX];
    bool is_missing;
    int code = fe_command_load(options, &log, &config, &is_missing);

    if (code != 0) {
        return FE_EXIT_FAILURE;
    }
    code = fe_local_ca_open(config->state_dir, (int64_t)time(NULL), &ca, &err);
    if (code == 0) {
        printf(HOW, realpath(fe_local_ca_path(ca), path) != NULL ? path : fe_local_ca_path(ca));
    }
    fe_local_ca_close(ca);
    fe_config_unref(config);
    return code == 0 ? fe_command_finish_output() : fe_command_fail(&err);
}
