using FedKSeed.LanguageModels.Evaluation;
using FedKSeed.Tests;

namespace FedKSeed.LanguageModels.Tests;

public class RougeLTests
{
    [Fact]
    public void Every_pair_scores_as_in_the_reference()
    {
        var cases = Vectors.Json("rouge_l.json").EnumerateArray();
        Assert.NotEmpty(cases);
        Assert.All(cases, pair => Assert.Equal(pair.GetProperty("f1").GetDouble(),
            RougeL.F1(pair.GetProperty("hypothesis").GetString()!, pair.GetProperty("reference").GetString()!), 1e-12));
    }
}
