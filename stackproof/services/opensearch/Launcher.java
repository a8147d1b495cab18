import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.codelibs.opensearch.runner.node.OpenSearchRunnerNode;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.plugins.Plugin;

/** One OpenSearch node from jars of a Maven repository; arguments as the official program's: -Ename=value. */
public final class Launcher {
    /** What the official distribution has in its folder of modules. */
    private static final String[] MODULES = {
        "org.opensearch.transport.Netty4Plugin",
        "org.opensearch.analysis.common.CommonAnalysisPlugin",
        "org.opensearch.geo.GeoModulePlugin",
        "org.opensearch.index.mapper.MapperExtrasPlugin",
        "org.opensearch.index.rankeval.RankEvalPlugin",
        "org.opensearch.index.reindex.ReindexPlugin",
        "org.opensearch.ingest.common.IngestCommonPlugin",
        "org.opensearch.join.ParentJoinPlugin",
        "org.opensearch.painless.PainlessPlugin",
        "org.opensearch.percolator.PercolatorPlugin",
        "org.opensearch.script.expression.ExpressionPlugin",
        "org.opensearch.script.mustache.MustachePlugin",
        "org.opensearch.search.aggregations.matrix.MatrixAggregationPlugin",
    };

    public static void main(String[] arguments) throws Exception {
        Map<String, String> settings = new TreeMap<>();
        for (String argument : arguments) {
            String[] pair = argument.substring("-E".length()).split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        String name = settings.get("node.name");
        Path config = Path.of(settings.get("path.home"), "config");
        Environment environment = InternalSettingsPreparer.prepareEnvironment(
            Settings.EMPTY, settings, config, () -> name);
        LogConfigurator.registerErrorListener();
        LogConfigurator.setNodeName(name);
        LogConfigurator.configure(environment);
        Files.createDirectories(environment.modulesFile());
        Files.createDirectories(environment.pluginsFile());
        List<Class<? extends Plugin>> modules = new ArrayList<>();
        for (String module : MODULES) {
            modules.add(Class.forName(module).asSubclass(Plugin.class));
        }
        OpenSearchRunnerNode node = new OpenSearchRunnerNode(environment, modules);
        node.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
                node.awaitClose(10, TimeUnit.SECONDS);
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        Thread.currentThread().join();
    }
}
