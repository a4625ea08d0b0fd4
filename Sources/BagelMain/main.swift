// SPDX-License-Identifier: Apache-2.0
// The program `bagel`. Its commands are in BagelCommand, so that another program (Experiments) can have them too.

import BagelCommand

runCommand(RootCommand.self)
