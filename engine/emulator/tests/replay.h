// Replays recorded launches: how every kernel gets under the sanitizers with the shapes of the C# tests.
#pragma once

#include <string>

namespace testing {

// Runs every *.launch file of a folder in all thread orders; returns the number of failures, kernels without a launch counted.
int replay_folder(const std::string& folder);

}  // namespace testing
